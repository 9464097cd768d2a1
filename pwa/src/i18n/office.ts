/** The words of the screens for places, stock and the ladder, in the language spoken now; no first load carries them. */
import { enOffice } from './office-en';
import { zhOffice, type OfficeWords } from './office-zh';
import { say } from './say';

export const office = {
  get t(): OfficeWords {
    return say.locale === 'zh' ? zhOffice : enOffice;
  },
};
