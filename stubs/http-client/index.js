// @actions/core needs an HTTP client for one thing, OIDC tokens, which this action never asks for.
const refuse = () => {
  throw new Error('this action makes every request through src/transfer/http.ts');
};

export const HttpClient = refuse;
export const BearerCredentialHandler = refuse;
