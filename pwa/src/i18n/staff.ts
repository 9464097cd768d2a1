/** The words of the screens where people and teams are kept, in the language spoken now; no first load carries them. */
import { say } from './say';
import { enStaff } from './staff-en';
import { zhStaff, type StaffWords } from './staff-zh';

export const staff = {
  get t(): StaffWords {
    return say.locale === 'zh' ? zhStaff : enStaff;
  },
};
