/** Names of the bare workflow, shared by its worker and whoever starts it. */

export const BARE_QUEUE = 'bare';
/** Like a session, it has the activities of its hosts on a queue of their own. */
export const BARE_SITE_QUEUE = 'bare.site';

/** The activity that does nothing. */
export interface NoOp {
  noOp(): Promise<void>;
}
