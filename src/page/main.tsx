import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme, storedTheme } from "./theme.tsx";

applyTheme(storedTheme());
render(<App />, document.body);
