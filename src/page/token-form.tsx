import { useState } from "preact/hooks";
import { hasToken } from "./api.ts";

/** Asks for `admin.token`. It is kept for this tab only and sent as a header, never in an address. */
export function TokenForm({ onToken }: { onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== "") onToken(token.trim());
  };
  return (
    <form class="panel token" onSubmit={submit}>
      <h2>This server asks for its token</h2>
      {hasToken() && (
        <p class="note bad" role="alert">
          It did not take that one.
        </p>
      )}
      <label class="field">
        <span>
          Token{" "}
          <small>
            (<code>admin.token</code> of the configuration)
          </small>
        </span>
        <input
          type="password"
          autocomplete="current-password"
          required
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
      </label>
      <p class="quiet">It stays in this tab and is gone when you close it.</p>
      <button type="submit" class="primary">
        Show the dashboard
      </button>
    </form>
  );
}
