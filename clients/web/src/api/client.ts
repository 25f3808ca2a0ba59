import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { signal } from "@preact/signals";
import { Operations } from "../gen/google/longrunning/operations_pb";
import { Stylizer } from "../gen/impasto/v1/stylizer_pb";

const TOKEN_KEY = "impasto.token";

/** The caller's token, which the browser forgets with the tab; empty where none is needed. */
export const token = signal(recalled());

export function takeToken(text: string): void {
  token.value = text;
  try {
    sessionStorage.setItem(TOKEN_KEY, text);
  } catch {
    // Where storage is not allowed, a reload forgets it.
  }
}

function recalled(): string {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? "";
  } catch {
    return "";
  }
}

const withToken: Interceptor = (next) => (request) => {
  if (token.value) request.header.set("Authorization", `Bearer ${token.value}`);
  return next(request);
};

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true, // photos: JSON would make a third more of them
  interceptors: [withToken],
});

export const stylizer = createClient(Stylizer, transport);
export const operations = createClient(Operations, transport);
