// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import java.io.StringReader;
import org.apache.commons.configuration.ConfigurationConverter;
import org.apache.commons.configuration.PropertiesConfiguration;

/** Commons Configuration, set up as Gobblin does it. */
public final class CommonsReader {
    public static void main(String[] arguments) throws Exception {
        Words.serve((command, words) -> {
            PropertiesConfiguration found = new PropertiesConfiguration();
            found.setDelimiterParsingDisabled(false);
            found.load(new StringReader(words.get(0)));
            return Words.flat(ConfigurationConverter.getProperties(found));
        });
    }
}
