import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  ConstraintReceipt,
  ConstraintsView,
  GroupConstraint,
  InstanceConstraint,
} from '../src/core/constraints.ts';
import type { AnswerReceipt, NoticeView } from '../src/core/dialogue.ts';
import type { Plan, Progress, Report } from '../src/core/progress.ts';
import type { Standing } from '../src/core/standing.ts';
import { QUERIES, SIGNALS, UPDATES } from '../src/names.ts';

// Inputs of signals and updates are `unknown`: the Temporal CLI sends whatever was typed, and each is parsed.

export const cancelSignal = defineSignal<[unknown]>(SIGNALS.cancel);
export const continueSignal = defineSignal<[unknown]>(SIGNALS.continue);
export const pauseSignal = defineSignal<[unknown]>(SIGNALS.pause);
export const approveSignal = defineSignal<[unknown]>(SIGNALS.approve);
export const hostReportSignal = defineSignal<[unknown]>(SIGNALS.hostReport);
export const hostWaitsSignal = defineSignal<[unknown]>(SIGNALS.hostWaits);

export const cancelUpdate = defineUpdate<Progress, [unknown]>(UPDATES.cancelSession);
export const continueUpdate = defineUpdate<Progress, [unknown]>(UPDATES.continueSession);
export const pauseUpdate = defineUpdate<Progress, [unknown]>(UPDATES.pauseSession);
export const setBudgetUpdate = defineUpdate<Progress, [unknown]>(UPDATES.setBudget);

export const progressQuery = defineQuery<Progress>(QUERIES.progress);
export const planQuery = defineQuery<Plan | undefined>(QUERIES.plan);
export const reportQuery = defineQuery<Report>(QUERIES.report);
export const standingQuery = defineQuery<Standing, [{ names: boolean } | undefined]>(QUERIES.standing);

export const answerSignal = defineSignal<[unknown]>(SIGNALS.answer);
export const answerUpdate = defineUpdate<AnswerReceipt, [unknown]>(UPDATES.answerNotice);
export const noticeQuery = defineQuery<NoticeView>(QUERIES.notice);

export const putConstraintUpdate = defineUpdate<ConstraintReceipt, [unknown]>(UPDATES.putConstraint);
export const deleteConstraintUpdate = defineUpdate<ConstraintReceipt, [unknown]>(UPDATES.deleteConstraint);
export const constraintQuery = defineQuery<InstanceConstraint | GroupConstraint | undefined, [unknown]>(
  QUERIES.constraint,
);
export const constraintsQuery = defineQuery<ConstraintsView, [{ unless?: string } | undefined]>(
  QUERIES.constraints,
);
