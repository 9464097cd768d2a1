/** Holds the types screens use against those made from the server's OpenAPI document; a difference fails the type check. */

import type { components } from './api';
import type * as drilled from './drill';
import type * as used from './incident';
import type * as house from './organisation';

type Rows = components['schemas'];
/** Compiles only where every row the server may send is one the screens can take. */
type Fits<Sent extends Taken, Taken> = [Sent, Taken];

export type Agreement = [
  Fits<Rows['OrganisationRow'], house.Organisation>,
  Fits<Rows['PersonRow'], house.Person>,
  Fits<Rows['TeamRow'], house.Team>,
  Fits<Rows['MembershipRow'], house.Membership>,
  Fits<Rows['DutyRow'], house.Duty>,
  Fits<Rows['ContactRow'], house.Contact>,
  Fits<Rows['PlaceRow'], house.Place>,
  Fits<Rows['SupplyRow'], house.Supply>,
  Fits<Rows['DeviceRow'], house.Device>,
  Fits<Rows['ReachabilityRow'], house.Reachability>,
  Fits<Rows['ShortfallRow'], house.Shortfall>,
  Fits<Rows['IncidentRow'], used.Incident>,
  Fits<Rows['FactRow'], used.Fact>,
  Fits<Rows['DecisionRow'], used.Decision>,
  Fits<Rows['ProposalRow'], used.Proposal>,
  Fits<Rows['LimitRow'], used.Limit>,
  Fits<Rows['OrderRow'], used.Order>,
  Fits<Rows['AlertRow'], used.Alert>,
  Fits<Rows['RecipientRow'], used.Recipient>,
  Fits<Rows['BoardRow'], used.Board>,
  Fits<Rows['ChecklistRow'], used.Checklist>,
  Fits<Omit<Rows['ItemRow'], 'when'>, Omit<used.Item, 'when'>>,
  Fits<Rows['MarkRow'], used.Mark>,
  Fits<Rows['ReportRow'], used.Report>,
  Fits<Rows['TallyRow'], used.Tally>,
  Fits<Rows['RequestRow'], used.SupplyRequest>,
  Fits<Rows['MovementRow'], used.Movement>,
  Fits<Rows['NoticeRow'], used.Notice>,
  Fits<Rows['ModeRow'], used.Mode>,
  Fits<Rows['BackEntryRow'], used.BackEntry>,
  Fits<Rows['ReviewRow'], used.Review>,
  Fits<Rows['EntryRow'], used.Entry>,
  Fits<Rows['DrillRow'], drilled.Drill>,
  Fits<Rows['InjectRow'], drilled.Inject>,
];
