/** What every kind of sink does. */
import { MaintenanceError } from '../core/errors.ts';
import type { NoticeEvent } from '../core/notice.ts';

export interface DeliveryContext {
  /** Ends the attempt; the receiver may have got the event all the same. */
  signal: AbortSignal;
  /** An earlier attempt ended without a word: the event may have been received already. */
  interrupted: boolean;
}

/** A receiver of events. */
export interface Sink {
  /**
   * Resolves when the receiver has the event. Throws DeliveryFailed, retryable when it may be sent again, or the reason
   * of the signal.
   */
  deliver(event: NoticeEvent, context: DeliveryContext): Promise<void>;
  close(): Promise<void>;
}

/** The one error of sinks. */
export const deliveryFailed = (
  message: string,
  options: { retryable: boolean; vendor?: string; retryAfterMs?: number | undefined },
): MaintenanceError => {
  const { retryAfterMs, ...rest } = options;
  return new MaintenanceError('DeliveryFailed', message, {
    ...rest,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
};
