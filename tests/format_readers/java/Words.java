// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Answers lines of Base64 words: first what to do, then its arguments. */
interface Words {
    List<String> answer(String command, List<String> words) throws Exception;

    static List<String> flat(Map<?, ?> found) {
        List<String> words = new ArrayList<>();
        found.forEach((key, value) -> words.addAll(List.of(key.toString(), value.toString())));
        return words;
    }

    static void serve(Words reader) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            List<String> words = Arrays.stream(line.split(" ", -1))
                .map(word -> new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8))
                .collect(Collectors.toList());
            List<String> answer = new ArrayList<>();
            try {
                answer.addAll(reader.answer(words.get(0), words.subList(1, words.size())));
                answer.add(0, "ok");
            } catch (Exception exception) {
                answer = List.of("error", exception.toString());
            }
            System.out.println(answer.stream()
                .map(word -> Base64.getEncoder().encodeToString(word.getBytes(StandardCharsets.UTF_8)))
                .collect(Collectors.joining(" ")));
            System.out.flush();
        }
    }
}
