// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** What needs the JDK only: properties, and the cipher of Data Loader, written from a description of it. */
public final class JdkReader {
    public static void main(String[] arguments) throws Exception {
        Words.serve((command, words) -> switch (command) {
            case "properties" -> Words.flat(properties(words.get(0)));
            case "decrypt" -> List.of(decrypt(words.get(0), words.get(1)));
            case "encrypt" -> List.of(encrypt(words.get(0), words.get(1)));
            default -> throw new IllegalArgumentException(command);
        });
    }

    private static Properties properties(String text) throws Exception {
        Properties found = new Properties();
        found.load(new StringReader(text));
        return found;
    }

    private static Cipher cipher(int mode, String key, byte[] start) throws Exception {
        Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
        byte[] first = Arrays.copyOf(key.getBytes(StandardCharsets.UTF_8), 16);
        cipher.init(mode, new SecretKeySpec(first, "AES"), new IvParameterSpec(start));
        return cipher;
    }

    private static String encrypt(String key, String text) throws Exception {
        byte[] start = new byte[16];
        new SecureRandom().nextBytes(start);
        byte[] sealed = cipher(Cipher.ENCRYPT_MODE, key, start).doFinal(text.getBytes(StandardCharsets.UTF_8));
        StringBuilder digits = new StringBuilder();
        for (byte[] part : List.of(start, sealed)) {
            for (byte signed : part) {
                digits.append(String.format("%02x", signed >= 0 ? signed : 127 - signed));
            }
        }
        return digits.toString();
    }

    private static String decrypt(String key, String digits) throws Exception {
        byte[] all = new byte[digits.length() / 2];
        for (int index = 0; index < all.length; index++) {
            int code = Integer.parseInt(digits.substring(2 * index, 2 * index + 2), 16);
            all[index] = (byte) (code < 128 ? code : 127 - code);
        }
        Cipher cipher = cipher(Cipher.DECRYPT_MODE, key, Arrays.copyOf(all, 16));
        return new String(cipher.doFinal(all, 16, all.length - 16), StandardCharsets.UTF_8);
    }
}
