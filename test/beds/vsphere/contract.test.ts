/** The driver contract over the vCenter of the bed. */
import { describeDriver, type DriverBed } from '../../drivers/contract.ts';
import { BUSY_HOST, CAPABILITIES, connect, deaf, startHosts, TIMEOUT } from './hosts.ts';

async function setUp(): Promise<DriverBed> {
  const { address, run, bed, close } = await startHosts();
  const listed = await run('ls', '-i', `/DC0/vm/${BUSY_HOST}_VM0`);
  const driver = connect(address, { timeout: TIMEOUT });
  const deafDriver = connect(deaf(address), { timeout: TIMEOUT });
  return {
    ...bed,
    driver,
    deafDriver,
    instance: listed.trim().replace(/^VirtualMachine:/, ''),
    close: () => close(driver, deafDriver),
  };
}

describeDriver('vsphere', CAPABILITIES, setUp);
