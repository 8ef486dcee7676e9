// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Answers lines of Base64 words: first what to do, then its arguments.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");

const installed = createRequire(path.join(process.argv[2], "package.json"));

// The Salesforce CLI keeps what it knows at home, looks up hosts and writes a log, unless it is kept from it.
const home = fs.mkdtempSync(path.join(os.tmpdir(), "reader-"));
process.on("exit", () => fs.rmSync(home, { recursive: true, force: true }));
Object.assign(process.env, {
  HOME: home,
  SF_DISABLE_DNS_CHECK: "true",
  SF_DISABLE_LOG_FILE: "true",
  SF_USE_GENERIC_UNIX_KEYCHAIN: "true",
});

async function jsforceSession(url, username, secret) {
  const connection = new (installed("jsforce").Connection)({ loginUrl: url, version: "60.0" });
  await connection.login(username, secret);
  connection.metadata.pollInterval = 20;
  return connection;
}

// A session as `sf org login sfdx-url` has one; the URL of a server elsewhere than at port 443 is given beside it.
async function cliSession(sfdxUrl, url) {
  const core = installed("@salesforce/core");
  const options = { ...core.AuthInfo.parseSfdxAuthUrl(sfdxUrl), loginUrl: url };
  const authInfo = await core.AuthInfo.create({ oauth2Options: options });
  return core.Connection.create({ authInfo });
}

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
  // Deploys a package by SOAP or by REST, and says how it went and how many components it had.
  "jsforce-deploy": async (url, username, secret, zip, way) => {
    const { metadata } = await jsforceSession(url, username, secret);
    const options = { rollbackOnError: true, singlePackage: true };
    const data = Buffer.from(zip, "base64");
    if (way === "soap") {
      const done = await metadata.deploy(data, options).complete({ details: true });
      return [done.status, done.numberComponentsTotal];
    }
    const { id } = await metadata.deployRest(data, options);
    const done = await metadata.checkDeployStatus(id, true, true);
    return [done.status, done.numberComponentsTotal];
  },
  // Reads, lists, writes and retrieves components of an External Client App.
  "jsforce-metadata": async (url, username, secret) => {
    const { metadata } = await jsforceSession(url, username, secret);
    const [settings] = await metadata.read("ExtlClntAppGlobalOauthSettings", ["Billing_global"]);
    const listed = await metadata.list([{ type: "ExtlClntAppConfigurablePolicies" }], "60.0");
    const policy = { fullName: listed[0].fullName, externalClientApplication: "Billing", isEnabled: false };
    const [saved] = await metadata.upsert("ExtlClntAppConfigurablePolicies", [policy]);
    const types = [{ members: ["*"], name: "ExternalClientApplication" }];
    const request = { apiVersion: "60.0", singlePackage: true, unpackaged: { types, version: "60.0" } };
    const retrieved = await metadata.retrieve(request).complete();
    return [settings.consumerKey, listed[0].fullName, saved.success, retrieved.zipFile];
  },
  // Reads a consumer's secret, stages another one and rotates it.
  "jsforce-rotate": async (url, username, secret) => {
    const connection = await jsforceSession(url, username, secret);
    connection.version = "66.0"; // which has staged credentials, but no login by SOAP
    const { apps } = await connection.request("/apps/oauth/usage");
    const { consumers } = await connection.request(`/apps/oauth/credentials/${apps[0].identifier}`);
    const held = await connection.request(`${consumers[0].url}?part=keyandsecret`);
    const collection = await connection.requestPost(consumers[0].stagedCredentialsUrl, {});
    const [staged] = collection.stagedCredentials;
    await connection.requestPatch(`${consumers[0].stagedCredentialsUrl}/${staged.id}`, { command: "rotate" });
    return [held.secret, staged.secret];
  },
  // Creates, assigns, and takes back a permission set.
  "jsforce-records": async (url, username, secret, assignee) => {
    const connection = await jsforceSession(url, username, secret);
    const made = await connection.sobject("PermissionSet").create({ Name: "FromNode", Label: "From Node" });
    const pair = { PermissionSetId: made.id, AssigneeId: assignee };
    const assigned = await connection.sobject("PermissionSetAssignment").create(pair);
    await connection.sobject("PermissionSetAssignment").destroy(assigned.id);
    const gone = await connection.sobject("PermissionSet").destroy(made.id);
    return [made.success, assigned.success, gone.success];
  },
  // Logs in as `sf org login jwt` does, and tells which org it is.
  "cli-jwt": async (url, clientId, username, privateKey) => {
    const privateKeyFile = path.join(home, "key.pem");
    fs.writeFileSync(privateKeyFile, privateKey, { mode: 0o600 });
    const oauth2Options = { clientId, privateKeyFile, loginUrl: url };
    const authInfo = await installed("@salesforce/core").AuthInfo.create({ username, oauth2Options });
    return [authInfo.getFields().orgId];
  },
  "cli-sfdx-url": async (sfdxUrl, url) => [(await cliSession(sfdxUrl, url)).getUsername()],
  // Deploys a package as `sf project deploy start --metadata-dir` does.
  "cli-deploy": async (sfdxUrl, url, zip, way) => {
    const zipPath = path.join(home, "package.zip");
    fs.writeFileSync(zipPath, Buffer.from(zip, "base64"));
    const apiOptions = { rest: way === "rest", rollbackOnError: true, singlePackage: true };
    const usernameOrConnection = await cliSession(sfdxUrl, url);
    const { MetadataApiDeploy } = installed("@salesforce/source-deploy-retrieve");
    const deploy = new MetadataApiDeploy({ usernameOrConnection, zipPath, apiOptions });
    await deploy.start();
    const { Duration } = installed("@salesforce/kit");
    const result = await deploy.pollStatus({ frequency: Duration.milliseconds(50) });
    return [result.response.status, result.response.numberComponentsTotal];
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
