/** The words of the plan screens at a desk, in the language spoken now; apart from the rest, so that no first load carries them. */
import { enDesk } from './desk-en';
import { zhDesk, type DeskWords } from './desk-zh';
import { say } from './say';

export const desk = {
  get t(): DeskWords {
    return say.locale === 'zh' ? zhDesk : enDesk;
  },
};
