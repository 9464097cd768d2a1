/** A plan's source text as the editor handles it: lines, places in it, its key and its version. */

export interface PlanDraft {
  text: string;
  /** The version the work began from; 0 for a plan that is new. */
  from: number;
  at: number;
}

export const NEW = 'new';
export const draftKey = (key: string): string => `plan:${key}`;

/** Where a line (from 1) and column (from 1) stand in the text; beyond the end of either, that end. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const index = Math.min(Math.max(line, 1), lines.length) - 1;
  const before = lines.slice(0, index).reduce((sum, one) => sum + one.length + 1, 0);
  return before + Math.min(Math.max(column, 1) - 1, lines[index]!.length);
}

export function keyOf(text: string): string | null {
  return /^key:[ \t]*["']?([\w.-]+)/m.exec(text)?.[1] ?? null;
}

export function versionOf(text: string): number | null {
  const found = /^version:[ \t]*["']?(\d+)/m.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

/** The text with another version number; one without any gets it as a line after the key. */
export function raiseVersion(text: string, version: number): string {
  if (versionOf(text) !== null) return text.replace(/^(version:[ \t]*["']?)\d+/m, `$1${version}`);
  return text.replace(/^(key:.*)$/m, `$1\nversion: ${version}`);
}

/** How many bytes the text takes on the way; the server takes 64 kB. */
export const MOST_BYTES = 64 * 1024;
export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** A plan to begin from: it says what must be there and what each part is for. */
export const SKELETON = `# 一份预案从这里写起：每条规则都写明依据。 | A plan begins here: each rule names its clause.
key: my-plan
version: 1
source: 本单位预案
title: 预案名称 | Name of the plan
category: other
scope: 适用于何种情况。 | What it is for.
clause: 总则 | 发生情况及时报告和处置。 | Report and handle what happens in time.

teams:
  - {key: leadership, kind: leadership, title: 应急领导小组 | Leadership group, clause: 组织 | 领导小组统一指挥。 | The leadership group commands.}
  - {key: it, kind: it, title: 技术组 | Technical team, clause: 组织 | 技术组排查修复。 | The technical team finds and repairs.}

authority: {decides: leadership, announces: leadership, words: 领导小组决定启动。 | The leadership group decides., clause: 启动 | 领导小组决定启动。 | The leadership group decides.}

triggers:
  - {key: fault, title: 发生故障 | A fault, words: 业务中断或异常。 | Work stops or goes wrong., by: leadership, reporters: [it], clause: 启动 | 发现故障即报告。 | A fault is reported.}

phases:
  - {key: response, title: 应急响应 | Response, starts: [plan.activated], clause: 处置 | 启动后各组行动。 | The teams act once it is activated.}

orders:
  - {key: repair, team: it, phase: response, title: 排查修复 | Find and repair, text: 查明原因并修复。 | Find the cause and repair., within: 15 min, clause: 处置 | 技术组修复。 | The technical team repairs.}

limits:
  - {key: restore, title: 15 分钟内恢复 | Restored in 15 minutes, owner: it, starts: [incident.reported], length: 15 min, ends: [service.restored, incident.dismissed], then: [{alert: [leadership], words: 15 分钟未恢复，请决定是否启动预案。 | Not restored in 15 minutes. Please decide., critical: true}, {ask: activate, of: leadership}], clause: 处置 | 15 分钟内恢复，否则报领导小组。 | Restored in 15 minutes or the leaders are told.}

end: {decides: leadership, announces: leadership, words: 业务恢复后由领导小组宣布结束。 | The leaders announce the end., conditions: [{key: restored, words: 业务恢复 | Service restored, when: service.restored}], clause: 结束 | 领导小组宣布结束。 | The leaders end it.}
review: {owner: it, due: 2 d, set: F9, to: 领导小组 | Leadership group, clause: 总结 | 2 日内总结。 | Summary within two days.}

drills:
  - {key: yearly, title: 年度演练 | Yearly drill, every: yearly, content: [报告和修复。 | Reporting and repair.], owner: leadership, clause: 演练 | 每年一次。 | Once a year.}
`;
