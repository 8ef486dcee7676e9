// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Answers lines of Base64 words: first what to do, then its arguments.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");

const installed = createRequire(path.join(process.argv[2], "package.json"));

const commands = {
  dotenv: (text) => Object.entries(installed("dotenv").parse(text)).flat(),
  "sfdx-url": (url) => {
    const found = installed("@salesforce/core").AuthInfo.parseSfdxAuthUrl(url.trim());
    return Object.entries(found).flat();
  },
  // Logs in as an application with node's dotenv and jsforce would, and tells who it is.
  jsforce: async (text) => {
    const env = installed("dotenv").parse(text);
    const connection = new (installed("jsforce").Connection)({
      loginUrl: `https://${env.SALESFORCE_HOST}`,
      version: env.SALESFORCE_API_VERSION,
    });
    const user = await connection.login(
      env.SALESFORCE_USERNAME,
      env.SALESFORCE_PASSWORD + env.SALESFORCE_SECURITY_TOKEN,
    );
    return ["user", user.id];
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(" ").map((word) => Buffer.from(word, "base64").toString());
    let answer;
    try {
      answer = ["ok", ...(await commands[command](...words))];
    } catch (error) {
      answer = ["error", String(error)];
    }
    console.log(answer.map((word) => Buffer.from(String(word)).toString("base64")).join(" "));
  }
})();
