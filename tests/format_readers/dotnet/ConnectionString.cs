// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
using System;
using System.Collections.Generic;
using System.Data.Common;
using System.Linq;
using System.Text;

/// <summary>ADO.NET's own parser; answers lines of Base64 words: a connection string, then the keys to tell.</summary>
static class ConnectionString
{
    static IEnumerable<string> Answer(string[] words)
    {
        var found = new DbConnectionStringBuilder { ConnectionString = words[1] };
        return new[] { "ok" }.Concat(words.Skip(2).SelectMany(key => new[] { key, found[key].ToString() }));
    }

    static void Main()
    {
        for (var line = Console.ReadLine(); line != null; line = Console.ReadLine())
        {
            var words = line.Split(' ').Select(word => Encoding.UTF8.GetString(Convert.FromBase64String(word)));
            IEnumerable<string> answer;
            try { answer = Answer(words.ToArray()); }
            catch (Exception exception) { answer = new[] { "error", exception.ToString() }; }
            Console.WriteLine(string.Join(" ", answer.Select(word => Convert.ToBase64String(Encoding.UTF8.GetBytes(word)))));
        }
    }
}
