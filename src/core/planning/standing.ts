export type { ChosenHost, NextHosts, NextHostsRequest as SessionStanding } from './choice.ts';
