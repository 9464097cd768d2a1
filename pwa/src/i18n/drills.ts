/** The words of the drill screens in the language spoken now; apart from the rest, so that no first load carries them. */
import { enDrills } from './drills-en';
import { zhDrills, type DrillWords } from './drills-zh';
import { say } from './say';

export const drilling = {
  get t(): DrillWords {
    return say.locale === 'zh' ? zhDrills : enDrills;
  },
};
