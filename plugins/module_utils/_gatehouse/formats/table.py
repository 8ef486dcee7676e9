# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of formats: which fields of a credential a reader wants, and what writes them. Pure.

A row of FORMATS holds the cells of its row in docs/formats.md (what it is for | file | defined by), the fields by the
flow of the credential (flow: the reader's name=ours, ...), the encoder, and what must not be in a value. A new format
is a row, and for a text of a new kind a function in applications.py.
"""

from __future__ import annotations

from ..auth.connection import AUTH_FLOWS
from . import applications, dataloader, drivers, encoders, mapping
from .model import Format, refuse, refuse_lists, refuse_outer_blanks

_ALL = " ".join(AUTH_FLOWS)
# The names are those of restforce.
_VARIABLES = (
    "SALESFORCE_USERNAME=username, SALESFORCE_PASSWORD=password, SALESFORCE_SECURITY_TOKEN=security_token, "
    "SALESFORCE_CLIENT_ID=consumer_key, SALESFORCE_CLIENT_SECRET=consumer_secret, SALESFORCE_HOST=host, "
    "SALESFORCE_API_VERSION=api_version"
)
_RESTFORCE = f"security_token username_password client_credentials: {_VARIABLES}"

ENVIRONMENT = {
    "env": Format(
        "`SALESFORCE_*` variables, quoted so that python-dotenv, systemd and a shell read the same | .env "
        "| restforce, lib/restforce/config.rb",
        _RESTFORCE,
        encoders.env,
    ),
    "dotenv": Format(
        "the same variables, quoted for python-dotenv | .env | python-dotenv, src/dotenv/parser.py",
        _RESTFORCE,
        encoders.dotenv,
    ),
    "node_env": Format(
        "the same variables, quoted for node's dotenv, for jsforce and nforce | .env | dotenv for node, lib/main.js",
        _RESTFORCE,
        encoders.node_env,
    ),
    "systemd_env": Format(
        "the same variables for systemd's `EnvironmentFile=` | /etc/default/NAME | systemd.exec(5)",
        _RESTFORCE,
        encoders.systemd_env,
    ),
    "docker_env": Format(
        "the same variables for `docker run --env-file`, which knows no quotes; not for Compose | NAME.env "
        "| docker run reference, --env-file",
        _RESTFORCE,
        encoders.docker_env,
    ),
    "shell_env": Format(
        "the same variables for a POSIX shell that reads the file by `.` | NAME.sh | POSIX, shell command language",
        _RESTFORCE,
        encoders.shell_env,
    ),
    "sfdc_env": Format(
        "`SFDC_*` variables, quoted as `env` | .env | simple-mockforce, README",
        "security_token: USERNAME=username, PASSWORD=password, SECURITY_TOKEN=security_token",
        encoders.env,
        prefix="SFDC_",
        production_only=True,
    ),
    "meltano": Format(
        "`TAP_SALESFORCE_*` variables, quoted as `env`; the tap insists on a security token | .env "
        "| MeltanoLabs tap-salesforce, salesforce/credentials.py",
        # For old and new versions of the tap.
        "security_token: AUTH_METHOD='password', USERNAME=username, PASSWORD=password, "
        "SECURITY_TOKEN=required_token, IS_SANDBOX=is_sandbox_domain, DOMAIN=domain; "
        "client_credentials: AUTH_METHOD='client_credentials', CLIENT_ID=consumer_key, "
        "CLIENT_SECRET=consumer_secret, DOMAIN=domain",
        encoders.env,
        prefix="TAP_SALESFORCE_",
    ),
}

# For a login URL that simple-salesforce cannot express as a domain, login_url takes its place, which is for
# SalesforceLogin(scratch_url=...).
_PLACE = "domain=domain_if_any, login_url=login_url_without_domain, version=api_version"
_ARGUMENTS = (
    # Without the key security_token simple-salesforce does not take the rest for a login, even where none is needed.
    f"security_token: username, password, security_token=token_or_empty, {_PLACE}; "
    f"jwt_bearer: username, consumer_key, privatekey=private_key, {_PLACE}; "
    f"client_credentials: consumer_key, consumer_secret, {_PLACE}; "
    # The token has no place of its own in this flow, and with one simple-salesforce would choose another flow.
    f"username_password: username, password=login_password, consumer_key, consumer_secret, {_PLACE}; "
    "session: session_id=access_token, instance_url, version=api_version"
)
_SOURCE = "simple-salesforce, simple_salesforce/api.py"

SIMPLE_SALESFORCE = {
    "json": Format(
        f"the keyword arguments of simple-salesforce as one JSON object | any | {_SOURCE}",
        _ARGUMENTS,
        encoders.json_text,
    ),
    "yaml": Format(f"the same as YAML | any | {_SOURCE}", _ARGUMENTS, encoders.yaml_text),
    "toml": Format(f"the same as TOML | any | {_SOURCE}", _ARGUMENTS, encoders.toml_text),
}

_MULE = "security_token: username, password, securityToken=security_token, url=soap_url"
# Mule expands these in configuration: properties, expressions and secured properties.
_REFUSED_BY_MULE = (refuse("${", "#[", "!["),)
_CAMEL = "clientId=consumer_key, clientSecret=consumer_secret, loginUrl=login_url"

JAVA = {
    "properties": Format(
        "a program in Java of one's own: `salesforce.username`, `.password`, `.securityToken` and so on "
        "| salesforce.properties | java.util.Properties",
        f"{_ALL}: username, password, securityToken=security_token, consumerKey=consumer_key, "
        "consumerSecret=consumer_secret, privateKey=private_key, refreshToken=refresh_token, accessToken=access_token, "
        "instanceUrl=instance_url, url=login_url",
        encoders.properties,
        prefix="salesforce.",
    ),
    "ant": Format(
        "the Ant Migration Tool | build.properties | Ant Migration Tool guide",
        "security_token: username, password=login_password, serverurl=login_url; "
        "session: sessionId=access_token, serverurl=instance_url",
        applications.ant,
        prefix="sf.",
    ),
    "mulesoft_properties": Format(
        "MuleSoft's Salesforce connector, by configuration properties `salesforce.*` | config.properties "
        "| Mule runtime, configuration properties",
        _MULE,
        encoders.properties,
        prefix="salesforce.",
        checks=_REFUSED_BY_MULE,
    ),
    "mulesoft_xml": Format(
        "MuleSoft's Salesforce connector, as the global element NAME (`Salesforce_Config`) | NAME.xml "
        "| Mule Salesforce connector reference, basic-connection",
        _MULE,
        applications.mule_xml,
        checks=_REFUSED_BY_MULE,
    ),
    "talend": Format(
        "a context of a Talend job, which joins password and token itself | contexts/NAME.properties "
        "| Talend, SalesforceConnectionProperties",
        "security_token: endpoint=soap_url, userPassword.userId=username, userPassword.password=password, "
        "userPassword.securityKey=token_or_empty",
        encoders.properties,
    ),
    "camel": Format(
        "Apache Camel's Salesforce component; that it wants both in one is not confirmed | application.properties "
        "| Camel, Salesforce component",
        f"username_password: {_CAMEL}, userName=username, password=login_password; "
        f"client_credentials: {_CAMEL}, authenticationType='CLIENT_CREDENTIALS'",
        encoders.properties,
        prefix="camel.component.salesforce.",
        # All are Camel's own but "${", which is Spring Boot's.
        checks=(refuse("{{", "${", start=("#", "RAW(")), refuse_outer_blanks),
    ),
}

_DATA_LOADER = "security_token: sfdc.endpoint=login_url, sfdc.username=username, sfdc.password=login_password"

DATA_LOADER = {
    "dataloader_properties": Format(
        "Data Loader, with the login password encrypted by the key in `encryption_key` | config.properties "
        "| Data Loader 67, EncryptionAesUtil.java, AppConfig.java",
        _DATA_LOADER,
        dataloader.config_properties,
    ),
    "dataloader_process": Format(
        "the same as an abstract bean NAME (`salesforce`), to be imported into `process-conf.xml` and inherited by "
        '`parent=` and `<map merge="true">` | NAME.xml | Data Loader 67, samples/conf/process-conf.xml',
        _DATA_LOADER,
        dataloader.process_bean,
    ),
}

_AIRFLOW = (
    "security_token: username, password, security_token=required_token, domain, version=api_version; "
    "username_password: username, password=login_password, consumer_key, consumer_secret, domain, "
    "version=api_version; "
    "jwt_bearer: username, consumer_key, domain, version=api_version, private_key; "
    "client_credentials: consumer_key, consumer_secret, domain, version=api_version"
)

AIRFLOW = {
    "airflow_uri": Format(
        "`AIRFLOW_CONN_NAME` with a URI; NAME is `salesforce_default` if not given | environment file "
        "| Airflow, managing connections; SalesforceHook",
        _AIRFLOW,
        applications.airflow_uri,
    ),
    "airflow_json": Format(
        "`AIRFLOW_CONN_NAME` with JSON | environment file | Airflow, managing connections; SalesforceHook",
        _AIRFLOW,
        applications.airflow_json,
    ),
    "airflow_connections": Format(
        "the connection for Airflow's local filesystem backend or `airflow connections import` | connections.json "
        "| Airflow, local filesystem secrets backend",
        _AIRFLOW,
        applications.airflow_connections,
    ),
}

_KAFKA_CLIENT = "consumer.key=consumer_key, consumer.secret=consumer_secret, instance=login_url"
_KAFKA = (
    f"username_password: grant.type='PASSWORD', {_KAFKA_CLIENT}, username, password, password.token=security_token; "
    f"client_credentials: grant.type='CLIENT_CREDENTIALS', {_KAFKA_CLIENT}"
)
_REFUSED_BY_KAFKA = (refuse("${"), refuse_outer_blanks)  # config providers
_CLIENT = "client_id=consumer_key, client_secret=consumer_secret"

PIPELINES = {
    "kafka_connect": Format(
        "Confluent's Salesforce connectors in a standalone worker | NAME.properties "
        "| Confluent, Salesforce connector configuration",
        _KAFKA,
        encoders.properties,
        prefix="salesforce.",
        checks=_REFUSED_BY_KAFKA,
    ),
    "kafka_connect_json": Format(
        "the same as JSON, a part of a connector's `config` | body of PUT /connectors/NAME/config "
        "| Confluent, Salesforce connector configuration",
        _KAFKA,
        encoders.json_text,
        prefix="salesforce.",
        checks=_REFUSED_BY_KAFKA,
    ),
    "gobblin": Format(
        "Apache Gobblin's Salesforce source | NAME.pull | Gobblin, ConfigurationKeys.java",
        "username_password: username, password, security.token=token_or_empty, client.id=consumer_key, "
        "client.secret=consumer_secret, host=base_url",
        encoders.properties,
        prefix="source.conn.",
        checks=(refuse("${", "ENC("), refuse_lists),
    ),
    "dlt": Format(
        "dlt's verified source `salesforce` | .dlt/secrets.toml | dlt verified sources, salesforce/__init__.py",
        "security_token: user_name=username, password, security_token=token_or_empty",
        applications.dlt,
        production_only=True,
    ),
    "embulk": Format(
        "embulk-input-sfdc, the `in:` part of a configuration | config.yml | embulk-input-sfdc, README",
        f"username_password: type='sfdc', username, password, security_token=token_or_empty, {_CLIENT}, login_url",
        applications.embulk,
        checks=(refuse("{{", "{%"),),  # a file with the ending .liquid
    ),
    "logstash": Format(
        "the settings within `salesforce { }` | pipeline .conf | Logstash, Salesforce input plugin",
        f"username_password: {_CLIENT}, username, password, security_token=token_or_empty, api_version, "
        "sfdc_instance_url=own_host, use_test_sandbox=true_at_test_host",
        applications.logstash,
        checks=(refuse("${"),),
    ),
    "adf": Format(
        "a linked service NAME (`Salesforce`) of Azure Data Factory | linkedService/NAME.json "
        "| Azure Data Factory, SalesforceLinkedService, SalesforceV2LinkedService",
        "security_token: environmentUrl=login_url, apiVersion=api_version, username, password, "
        "securityToken=token_or_empty; "
        "client_credentials: environmentUrl=login_url, apiVersion=api_version, "
        "authenticationType='OAuth2ClientCredentials', clientId=consumer_key, clientSecret=consumer_secret",
        applications.data_factory,
        checks=(refuse("@{", start=("@",)),),  # expressions, in a SecureString too
    ),
    "redash": Format(
        "options of a Redash data source | body of POST /api/data_sources | Redash, query_runner/salesforce.py",
        "security_token: username, password, token=token_or_empty, sandbox=is_test_login, api_version",
        encoders.json_text,
    ),
    "singer": Format(
        "the Singer tap tap-salesforce, with OAuth | config.json | tap-salesforce, README",
        f"refresh_token: {_CLIENT}, refresh_token, is_sandbox",
        encoders.json_text,
    ),
    "airbyte": Format(
        "Airbyte's source `source-salesforce` | config.json | Airbyte, source-salesforce specification",
        f"refresh_token: auth_type='Client', {_CLIENT}, refresh_token, is_sandbox",
        encoders.json_text,
    ),
    "n8n": Format(
        "n8n's credential NAME (`Salesforce`), for `n8n import:credentials` | JSON file "
        "| n8n, SalesforceJwtApi.credentials.ts",
        "jwt_bearer: environment, clientId=consumer_key, username, privateKey=private_key, "
        "myDomainUrl=my_domain_url",
        applications.n8n,
        checks=(refuse(start=("=",)),),  # an expression
    ),
}

_PROGRESS = "Password=password, SecurityToken=security_token"
_ODBC = f"security_token: HostName=host, LogonID=username, {_PROGRESS}"

DRIVERS = {
    "datadirect_jdbc": Format(
        "Progress DataDirect's JDBC driver | JDBC URL | Progress DataDirect for JDBC 6.0, connection URL",
        f"security_token: host, User=username, {_PROGRESS}",
        drivers.progress_url,
    ),
    "datadirect_odbc": Format(
        "Progress DataDirect's ODBC driver | connection string "
        "| Progress DataDirect for ODBC 8.0, user ID and password authentication",
        _ODBC,
        drivers.odbc_string,
    ),
    "datadirect_odbc_ini": Format(
        "the same as a data source NAME (`Salesforce`) | odbc.ini "
        "| Progress DataDirect for ODBC 8.0, user ID and password authentication",
        _ODBC,
        drivers.odbc_source,
        checks=(encoders.require_printable, refuse_outer_blanks),
    ),
    "cdata_jdbc": Format(
        "CData's JDBC driver | JDBC URL | CData JDBC driver for Salesforce, connection string",
        "security_token: User=username, Password=password, Security Token=security_token, "
        "Use Sandbox=true_at_test_login",
        drivers.cdata_url,
    ),
    "devart": Format(
        "Devart dotConnect | connection string | Devart dotConnect for Salesforce, connection string",
        "security_token: Server=host, User Id=username, Password=password, Security Token=security_token",
        drivers.ado_net_string,
    ),
}

PLATFORMS = {
    "systemd_credential": Format(
        "the login password and nothing else: systemd's `LoadCredential=`, secrets of Docker | /etc/credstore/NAME "
        "| systemd.exec(5)",
        "security_token username_password: login_password",
        applications.password_alone,
    ),
    "kubernetes": Format(
        "a Secret NAME (`salesforce`) with `SALESFORCE_*` keys | manifest | Kubernetes API, Secret v1",
        f"{_ALL}: {_VARIABLES}, SALESFORCE_PRIVATE_KEY=private_key, "
        "SALESFORCE_REFRESH_TOKEN=refresh_token, SALESFORCE_ACCESS_TOKEN=access_token, "
        "SALESFORCE_INSTANCE_URL=instance_url",
        applications.kubernetes,
    ),
    "vault": Format(
        "configuration of a Salesforce secrets engine of Vault | argument of vault write "
        "| vault-plugin-secrets-salesforce, path_config.go",
        f"jwt_bearer: login_url, {_CLIENT}, private_key, username, audience=login_url; "
        f"client_credentials: login_url, {_CLIENT}",
        encoders.json_text,
    ),
    "keydra": Format(
        "the secret that Keydra rotates | AWS Secrets Manager | Keydra, providers/salesforce.py",
        "security_token: key=username, secret=password, token=token_or_empty, domain",
        encoders.json_text,
    ),
    "amazon_connect": Format(
        "Amazon Connect's Lambda package, which joins password and token itself and has the user elsewhere "
        "| AWS Secrets Manager | amazon-connect-salesforce-lambda, salesforce.py",
        "username_password: Password=password, AccessToken=token_or_empty, ConsumerKey=consumer_key, "
        "ConsumerSecret=consumer_secret",
        encoders.json_text,
    ),
    "kelverion": Format(
        "the fields of a connection of Kelverion's PowerShell module | connection of Azure Automation "
        "| Kelverion, Salesforce integration module",
        "username_password: Username=username, Password=password, SecurityToken=token_or_empty, "
        "ClientId=consumer_key, ClientSecret=consumer_secret",
        encoders.json_text,
    ),
}

FRAMEWORKS = {
    "django": Format(
        "django-salesforce: `from salesforce_database import SALESFORCE` in the settings | salesforce_database.py "
        "| django-salesforce, salesforce/auth.py",
        "username_password: ENGINE='salesforce.backend', HOST=base_url, CONSUMER_KEY=consumer_key, "
        "CONSUMER_SECRET=consumer_secret, USER=username, PASSWORD=login_password",
        applications.django,
    ),
    "sfdx_url": Format(
        "the Salesforce CLI's `sf org login sfdx-url` | environment or file | sfdx-core, AuthInfo.parseSfdxAuthUrl",
        "refresh_token: consumer_key, consumer_secret, refresh_token, host=instance_host",
        applications.sfdx_url,
    ),
}

# By what the README calls them.
FAMILIES: dict[str, dict[str, Format]] = {
    "environment files": ENVIRONMENT,
    "simple-salesforce, as keyword arguments": SIMPLE_SALESFORCE,
    "Java, Ant, MuleSoft, Camel, Talend": JAVA,
    "Data Loader, with its encryption": DATA_LOADER,
    "Airflow": AIRFLOW,
    "pipelines": PIPELINES,
    "JDBC, ODBC and ADO.NET drivers": DRIVERS,
    "hosts, clusters, secret managers": PLATFORMS,
    "Django, the Salesforce CLI": FRAMEWORKS,
    "any other application, by names that you give": {"mapping": mapping.FORMAT},
}
