// The start: language and theme first, then who is signed in, then the screen of the address.
import { render } from 'preact';
import { App, fetchEarly } from './shell.tsx';
import { wasSignedIn } from './early.ts';
import { resume } from './session.ts';
import { applyTheme } from './theme.ts';
import { firstLanguage, setLanguage } from './words/words.ts';

applyTheme();
await setLanguage(firstLanguage());
render(<App />, document.getElementById('app')!);
void resume();
if (wasSignedIn()) fetchEarly(location.pathname);
