/** What a session may ask of the platform's own maintenance: who empties hosts, and what only one kind of platform has. */
import { z } from 'zod';
import { duration } from './fields.ts';

export const DRAINS = ['engine', 'platform'] as const;
/** Who empties a host: the engine, instance by instance, or the platform in its own maintenance task. */
export type Drain = (typeof DRAINS)[number];

/** In the words of `EnterMaintenanceMode_Task` of the vSphere Web Services API. */
const vsphere = z.strictObject({
  timeout: duration
    .optional()
    .describe(
      'vCenter gives up entering after this long; absent: only timeouts.enter or timeouts.drain end it',
    ),
  evacuatePoweredOffVms: z
    .boolean()
    .default(false)
    .describe('Also take VMs that are powered off to other hosts; without DRS somebody has to do that'),
  vsanMode: z
    .enum(['noAction', 'ensureObjectAccessibility', 'evacuateAllData'])
    .optional()
    .describe('What becomes of the vSAN data of a host; absent: what vCenter does by itself'),
  purpose: z.string().min(1).max(80).optional().describe('Kept by vCenter with the host: hostUpgrade'),
});
export type VsphereOptions = z.output<typeof vsphere>;

const supervisor = z
  .strictObject({
    action: z
      .enum(['no_action', 'PermanentNodeRemoval'])
      .default('no_action')
      .describe('What becomes of the node in the Supervisor: it comes back, or is removed for good'),
    confirmPermanentNodeRemoval: z
      .literal(true)
      .optional()
      .describe('Needed beside action PermanentNodeRemoval: there is no way back'),
  })
  .refine(
    ({ action, confirmPermanentNodeRemoval }) =>
      (action === 'PermanentNodeRemoval') === (confirmPermanentNodeRemoval === true),
    {
      path: ['confirmPermanentNodeRemoval'],
      message:
        'must be true with action PermanentNodeRemoval, from which there is no way back, and only then',
    },
  );
export type SupervisorOptions = z.output<typeof supervisor>;

const WHAT_TO_DO = ['block', 'evict'] as const;

/** In the words of the maintenance requests of MOSK, and of `kubectl drain`. */
const mosk = z.strictObject({
  scope: z
    .enum(['drain', 'os'])
    .default('drain')
    .describe('What is asked of the controllers: `os` says that nodes may be rebooted'),
  release: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Release that the maintenance is for: controllers of another one wait'),
  pods: z
    .strictObject({
      emptyDir: z
        .enum(WHAT_TO_DO)
        .default('block')
        .describe(
          'Pods whose data in emptyDir volumes is lost when they leave: block the node, or evict them',
        ),
      unmanaged: z
        .enum(WHAT_TO_DO)
        .default('block')
        .describe('Pods that no controller makes anew elsewhere: block the node, or evict them'),
      gracePeriod: duration
        .optional()
        .describe('Time that a pod has to end; absent: what the pod itself says'),
    })
    .prefault({}),
});
export type MoskOptions = z.output<typeof mosk>;

/** Keys of a session, by the name of the platform that reads them. */
export const platformOptions = {
  vsphere: vsphere.optional().describe('For sites of platform vsphere, and of what stands on it'),
  'vsphere-supervisor': supervisor.optional().describe('For sites of platform vsphere-supervisor'),
  mosk: mosk.optional().describe('For sites of platform mosk'),
};
export type PlatformOptions = Partial<z.output<z.ZodObject<typeof platformOptions>>>;

export const PLATFORM_OPTIONS = Object.keys(platformOptions) as (keyof PlatformOptions)[];

/** How a session wants hosts taken out, as far as the platform is concerned. */
export interface MaintenanceRequest {
  drain: Drain;
  options: PlatformOptions;
  /** The platform is told of the session before the first host, and after the last. */
  window?: true;
  /** Only the platform knows what leaving maintenance can give back. */
  plansExit?: true;
  /** The session takes the risk of more hosts out at one time than the platform bears. */
  beyondLimits?: true;
}

/** What holds where a session asks for nothing else. */
export const PLAIN_REQUEST: MaintenanceRequest = { drain: 'engine', options: {} };
