/** Where a page begins: the phone's store is asked first, while the app's own code and words are still on their way. */

import { firstLocale, loadWords } from './kept';
import { openEarly } from './opening';

openEarly();
void loadWords[firstLocale()]().catch(() => undefined);
void import('./app');
