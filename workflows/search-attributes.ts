import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';
import type { HostMaintenanceInput } from '../src/core/host-run.ts';
import type { NoticeEvent, ScheduledEvent } from '../src/core/notice.ts';
import type { SessionState } from '../src/core/session-state.ts';
import { SEARCH_ATTRIBUTES } from '../src/names.ts';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

const STATE = keyword(SEARCH_ATTRIBUTES.state);
const SITE = keyword(SEARCH_ATTRIBUTES.site);
const HOST = keyword(SEARCH_ATTRIBUTES.host);
const SESSION = keyword(SEARCH_ATTRIBUTES.session);

export const sessionAttributes = (
  session: string,
  site: string,
  state: SessionState,
): SearchAttributePair[] => [
  { key: SESSION, value: session },
  { key: SITE, value: site },
  { key: STATE, value: state },
];

export const stateAttribute = (state: SessionState): SearchAttributePair[] => [{ key: STATE, value: state }];

export const hostAttributes = ({ session, site, host }: HostMaintenanceInput): SearchAttributePair[] => [
  { key: SESSION, value: session },
  { key: SITE, value: site },
  { key: HOST, value: host },
];

export const siteAttribute = (site: string): SearchAttributePair[] => [{ key: SITE, value: site }];

export const noticeAttributes = ({ session, site }: ScheduledEvent): SearchAttributePair[] => [
  { key: SESSION, value: session },
  { key: SITE, value: site },
];

export const deliveryAttributes = (event: NoticeEvent): SearchAttributePair[] => [
  { key: SESSION, value: event.session },
  { key: SITE, value: event.site },
  ...(event.type === 'maintenance.host' ? [{ key: HOST, value: event.host }] : []),
];
