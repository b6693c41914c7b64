// Who decides, for the record.
import { hostname, userInfo } from 'node:os';

/** The user and the machine that this command runs as and on. */
export function decider(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // No entry for this user id, as in many containers.
    return hostname();
  }
}
