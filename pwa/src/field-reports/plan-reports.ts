/** The reports a plan requires: their fields, what is still missing, and filing one. */
import { stamp } from '../clock';
import { draftOf, dropDraft, keepDraft } from '../drafts';
import { newId } from '../ids';
import { record } from '../outbox';
import { whoIsIn } from '../self';
import type { Clause, Id, Plan, Report, Words } from '../types';

export interface ReportField {
  key: string;
  title: Words;
  kind: 'text' | 'number' | 'time' | 'place' | 'choice' | 'people' | 'money' | 'yes_no';
  unit: string;
  options: { key: string; title: Words }[];
  required: boolean;
}

export interface ReportRule {
  key: string;
  title: Words;
  to: Words;
  fields: ReportField[];
  /** Whether it goes on as follow-ups until a final one. */
  chain: boolean;
  clause: Clause | null;
}

export interface Filled {
  chain: Report['chain'];
  fields: Record<string, string>;
}

/** The reports the plan asks for; what its revision leaves out has the plan language's own default. */
export function reportRules(plan: Plan | undefined): ReportRule[] {
  const rules = (plan?.rules['reports'] ?? []) as (Partial<ReportRule> & Pick<ReportRule, 'key' | 'title' | 'to'>)[];
  return rules.map((rule) => ({
    ...rule,
    chain: rule.chain ?? false,
    clause: rule.clause ?? null,
    fields: ((rule.fields ?? []) as (Partial<ReportField> & Pick<ReportField, 'key' | 'title'>)[]).map((field) => ({
      ...field,
      kind: field.kind ?? 'text',
      unit: field.unit ?? '',
      options: field.options ?? [],
      required: field.required ?? true,
    })),
  }));
}

/** How the plan calls a field of a report; null when none of its reports has such a field. */
export const fieldTitle = (plan: Plan | undefined, key: string): Words | null =>
  reportRules(plan)
    .flatMap((rule) => rule.fields)
    .find((field) => field.key === key)?.title ?? null;

/** The required fields that hold nothing yet. */
export const missing = (rule: ReportRule, fields: Record<string, string>): ReportField[] =>
  rule.fields.filter((field) => field.required && !fields[field.key]?.trim());

/** The text each field is sent as; fields that hold nothing are left out. */
export function texts(rule: ReportRule, fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    rule.fields.flatMap((field): [string, string][] => {
      const text = fields[field.key]?.trim() ?? '';
      return text ? [[field.key, field.kind === 'time' ? text.replace('T', ' ') : text]] : [];
    }),
  );
}

const draftKey = (incident: Id, rule: ReportRule): string => `report:${incident}:${rule.key}`;
export const begun = (incident: Id, rule: ReportRule): Promise<Filled | undefined> =>
  draftOf<Filled>(draftKey(incident, rule));
export const keep = (incident: Id, rule: ReportRule, filled: Filled): Promise<void> =>
  keepDraft(draftKey(incident, rule), filled);
export const drop = (incident: Id, rule: ReportRule): Promise<void> => dropDraft(draftKey(incident, rule));

/** Files a report the plan requires; it waits on the phone like any other. Returns its id. */
export function fileRequired(incident: Id, rule: ReportRule, { chain, fields }: Filled): Promise<Id> {
  const shown = { incident, chain, type: 'status', fields: texts(rule, fields), occurred_at: stamp() };
  return record({
    id: newId(),
    path: '/reports/{id}',
    body: { ...shown, fulfils: rule.key },
    draft: draftKey(incident, rule),
    optimistic: {
      type: 'report',
      id: '{id}',
      doc: {
        previous: null,
        place: null,
        position: null,
        text: null,
        counts: {},
        photos: [],
        struck: null,
        ...shown,
        by: whoIsIn(),
      },
    },
  });
}
