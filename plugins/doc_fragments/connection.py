# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say how to reach and enter an org."""

from __future__ import annotations


class ModuleDocFragment:
    """How to log in: inline, or by the name of a stored credential."""

    LOGIN = r"""
options:
  auth:
    description:
      - How to log in. V(security_token) is the SOAP login with user name, password and, unless the address is trusted,
        the security token. Salesforce retires it with the release Summer '27.
      - V(jwt_bearer) signs an assertion with O(private_key) for O(username), through an app that has its certificate
        and is approved for the user. No password and no security token is involved, so none can expire.
      - V(client_credentials) logs in as the app, with O(consumer_key) and O(consumer_secret), and acts as the user that
        the app runs as; O(login_url) must be the My Domain address of the org.
      - V(refresh_token) exchanges O(refresh_token) for a session, through the app of O(consumer_key) that the org was
        authorised for, such as that of the Salesforce CLI. It is for stored credentials only, as an org may give a new
        refresh token with each session, which is stored before the session is used.
      - V(username_password) sends user name, password and security token through an app. New orgs forbid it, and
        Salesforce retires it in February 2027.
      - V(session) uses a session that is open already, by O(access_token) and O(instance_url).
    type: str
    choices: [security_token, jwt_bearer, client_credentials, refresh_token, username_password, session]
    default: security_token
  login_url:
    description:
      - Where to log in, such as C(https://test.salesforce.com) for a sandbox, or the My Domain address of the org,
        such as C(https://acme.my.salesforce.com). An address from a browser is refused, and the right one named.
      - Secrets are sent only over verified TLS, and only to C(*.salesforce.com), C(*.force.com), C(*.salesforce.mil)
        or a host in O(allowed_hosts).
    type: str
    default: https://login.salesforce.com
  username:
    description: The user name, which has the form of an e-mail address. Blanks around it are removed.
    type: str
  password:
    description: The password, without the security token.
    type: str
  security_token:
    description:
      - The security token that Salesforce sent by e-mail.
      - Leave it out where the address is in the trusted ranges of the org or the login ranges of the profile.
    type: str
  consumer_key:
    description: The consumer key of the app, for every flow through an app.
    type: str
  consumer_secret:
    description:
      - The consumer secret of the app, for O(auth=client_credentials), O(auth=username_password) and, if the app has
        one, O(auth=refresh_token).
    type: str
  private_key:
    description:
      - For O(auth=jwt_bearer), the RSA key in PEM form, without a passphrase; or a file on the controller that
        contains it.
      - It is stored and delivered in one form, PKCS#8, however its lines end.
      - M(gatehouse.salesforce.login_key) creates one.
    type: str
  refresh_token:
    description: The refresh token, for O(auth=refresh_token).
    type: str
  access_token:
    description: The id of an open session, for O(auth=session).
    type: str
  instance_url:
    description: The address of the org's instance, for O(auth=session).
    type: str
  audience:
    description:
      - Whom the assertion of O(auth=jwt_bearer) is for. By default the host of O(login_url), as most orgs want it.
      - Set it where the org wants another, such as C(https://login.salesforce.com) for a site of Experience Cloud.
    type: str
  api_version:
    description: The version of the API. The SOAP login is never sent above 64.0, where it ends.
    type: str
    default: "64.0"
  ca_path:
    description:
      - A file of PEM certificates to trust instead of the usual authorities.
      - Without it, E(REQUESTS_CA_BUNDLE), E(CURL_CA_BUNDLE) or E(SSL_CERT_FILE) may name one.
    type: path
  allowed_hosts:
    description: Hosts, or patterns such as C(*.example.com), to which secrets may be sent besides Salesforce's own.
    type: list
    elements: str
    default: []
  timeout:
    description: After how many seconds without a response to give up a request.
    type: float
    default: 30.0
  source_address:
    description: The local address to connect from.
    type: str
"""

    # What a module for an org has beside LOGIN; the module credential has LOGIN alone.
    DOCUMENTATION = r"""
options:
  credential:
    description:
      - The name of a stored credential, which supplies all other connection options but O(timeout) and
        O(source_address).
      - Without it, the credential is given inline.
    type: str
requirements:
  - simple-salesforce
notes:
  - Runs on the controller, whatever host the task is for, so secrets are never sent to a managed host.
  - A session is opened once and shared by all tasks, hosts and forks of a run.
  - A refused login is never repeated, since failed logins lock the user.
  - Every connection option is also taken from a variable of the same name with the prefix C(gatehouse_salesforce_),
    and then from the environment, such as E(SALESFORCE_USERNAME), E(SALESFORCE_PASSWORD) or E(SALESFORCE_LOGIN_URL).
"""
