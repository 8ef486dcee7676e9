// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.tools.ant.Project;
import org.apache.tools.ant.taskdefs.Property;

/** Ant itself: a property file, and an attribute that names what it found there. */
public final class AntReader {
    public static void main(String[] arguments) throws Exception {
        Words.serve((command, words) -> {
            File file = File.createTempFile("build", ".properties");
            Files.write(file.toPath(), words.get(0).getBytes(StandardCharsets.ISO_8859_1));
            Project project = new Project();
            project.init();
            Property task = new Property();
            task.setProject(project);
            task.setFile(file);
            task.execute();
            Files.delete(file.toPath());
            Map<String, String> found = new LinkedHashMap<>();
            for (String name : words.subList(1, words.size())) {
                found.put(name, project.replaceProperties("${" + name + "}"));
            }
            return Words.flat(found);
        });
    }
}
