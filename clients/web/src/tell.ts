import { Code } from "@connectrpc/connect";
import { token } from "./api/client";
import { hasCode, troubleOf } from "./api/troubles";
import { trouble, wantsToken } from "./state";

/**
 * Tells the person of an error; where a token is what is missing, asks for one.
 *
 * @param error whatever was thrown.
 * @param again does it once more.
 */
export function tellOf(error: unknown, again?: () => void): void {
  if (hasCode(error, Code.Unauthenticated)) wantsToken.value = { wrong: token.value !== "" };
  else trouble.value = troubleOf(error, again);
}
