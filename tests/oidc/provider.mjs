// The certified OpenID provider of npm, with two people who log in with any password.
// Started by tests/oidc/server.py: node provider.mjs PORT SETTINGS (JSON)

import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const settings = JSON.parse(process.argv[3]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: [`${settings.console}/oidc/answer`],
      post_logout_redirect_uris: [`${settings.console}/login`],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
  findAccount(_context, id) {
    const claims = { sub: id, preferred_username: id, ...settings.accounts[id] };
    return { accountId: id, claims: () => claims };
  },
});

provider.listen(port, "127.0.0.1", () => console.log("ready"));
process.stdin.on("end", () => process.exit(0)).resume(); // ends with whoever started it
