/**
 * Queues of a device that the service manager has kept while the service restarted.
 *
 * @module
 */
import { storedDescriptors, storedNameOf } from "../cli/stored_descriptors.ts";
import { UsageError } from "../errors.ts";

/**
 * The queues of a device, or an empty list if the device has to be opened.
 *
 * @throws {UsageError} The device has another number of queues.
 */
export function keptQueues(
  device: string,
  count: number,
  stored: ReadonlyMap<string, readonly number[]> = storedDescriptors(),
): readonly number[] {
  const kept = stored.get(storedNameOf(device)) ?? [];
  if (kept.length === 0 || kept.length === count) return kept;
  throw new UsageError(
    `workers: the service manager has kept ${device} with ${kept.length} queues, where ${count} are needed: ` +
      "stop the service, so that the device is removed, and start it",
  );
}
