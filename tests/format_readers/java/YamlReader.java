// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import java.util.Map;
import org.yaml.snakeyaml.Yaml;

/** SnakeYAML, with which Embulk reads. */
public final class YamlReader {
    public static void main(String[] arguments) throws Exception {
        Words.serve((command, words) -> {
            Map<String, Map<?, ?>> found = new Yaml().load(words.get(0));
            return Words.flat(found.get("in"));
        });
    }
}
