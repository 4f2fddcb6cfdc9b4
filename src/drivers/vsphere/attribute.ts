/** What the custom attribute of a host or a VM says: our mark, how far a cold move is, or what somebody wrote there. Pure. */
import { oneLine } from '../../core/listed.ts';
import { parseMark } from '../../core/mark.ts';
import { parseTicket } from './ticket.ts';
import type { HostProps } from './wire.ts';

/** Name of the attribute, on hosts and on instances. */
export const ATTRIBUTE = 'haulout';

const TEXT_SHOWN = 80;

/** Its text; taking it off leaves an empty one. */
export const attributeOf = (
  { customValue }: Pick<HostProps, 'customValue'>,
  key: number | undefined,
): string | undefined => customValue.find((one) => one.key === key && one.value !== '')?.value;

/** Why nothing can be done to an instance that needs a note of ours on it; undefined when nothing stands in the way. */
export function whyNoRoom(text: string | undefined): string | undefined {
  if (text === undefined || parseMark(text) || parseTicket(text)) return undefined;
  const quoted = oneLine(text, TEXT_SHOWN);
  return `its attribute ${ATTRIBUTE} says "${quoted}", which is not ours to write over; empty it`;
}
