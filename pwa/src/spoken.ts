/** The few words the worker itself says, in both languages; everything else comes with the message. */

import type { AnswerKind } from './types';

interface Spoken {
  name: string;
  neutral: string;
  over: string;
  reached: string;
  kept: string;
  /** Nothing is kept on this phone, and the server has not answered yet. */
  sending: string;
  notSent: string;
  answers: Record<AnswerKind, string>;
}

const words: Record<'zh' | 'en', Spoken> = {
  zh: {
    name: '警钟',
    neutral: '有新的消息，请打开警钟查看。',
    over: '【已结束】',
    reached: '已送达指挥部。',
    kept: '已保存在本机，联网后自动发出。',
    sending: '正在发出，尚未送达。',
    notSent: '未能发出，请打开警钟登录后再答复。',
    answers: {
      received: '已答复：收到',
      on_my_way: '已答复：出发',
      on_scene: '已答复：到位',
      cannot: '已答复：无法到场',
      need_help: '已答复：请求支援',
    },
  },
  en: {
    name: 'Tocsin',
    neutral: 'There is something new. Open Tocsin to read it.',
    over: '[Ended] ',
    reached: 'Command has received it.',
    kept: 'Saved on this phone. It goes out when the network is back.',
    sending: 'On its way, not there yet.',
    notSent: 'Not sent. Open Tocsin, sign in and answer again.',
    answers: {
      received: 'Answered: received',
      on_my_way: 'Answered: on my way',
      on_scene: 'Answered: on scene',
      cannot: 'Answered: cannot come',
      need_help: 'Answered: need help',
    },
  },
};

/** Chinese unless the message is meant for a reader of English. */
export function spoken(locale: string | undefined): Spoken {
  return locale === 'en' ? words.en : words.zh;
}
