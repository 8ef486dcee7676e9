// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import com.salesforce.dataloader.process.ProcessRunner;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.beans.factory.xml.XmlBeanDefinitionReader;
import org.springframework.core.io.FileSystemResource;

/** Spring, as Data Loader uses it: a process of one's own imports the bean and inherits from it. */
public final class SpringReader {
    private static final String PROCESS = """
        <beans xmlns="http://www.springframework.org/schema/beans"
               xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
               xsi:schemaLocation="http://www.springframework.org/schema/beans
                                   http://www.springframework.org/schema/beans/spring-beans.xsd">
          <import resource="salesforce.xml"/>
          <bean id="extract" parent="salesforce">
            <property name="configOverrideMap">
              <map merge="true">
                <entry key="process.operation" value="extract"/>
              </map>
            </property>
          </bean>
        </beans>
        """;

    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("dataloader");
        Files.writeString(folder.resolve("process-conf.xml"), PROCESS);
        Words.serve((command, words) -> {
            Files.write(folder.resolve("salesforce.xml"), words.get(0).getBytes(StandardCharsets.UTF_8));
            DefaultListableBeanFactory factory = new DefaultListableBeanFactory();
            new XmlBeanDefinitionReader(factory)
                .loadBeanDefinitions(new FileSystemResource(folder.resolve("process-conf.xml").toFile()));
            return Words.flat(factory.getBean("extract", ProcessRunner.class).getConfigOverrideMap());
        });
    }
}
