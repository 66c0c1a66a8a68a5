import type { NodeSession, OpenNode } from '../distribution/open-node.js';

/** The Lease is no longer held: another process may be at the node by now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor() {
    super('the Lease is no longer held: another replica distributes from now on');
  }
}

/**
 * Lets sessions do nothing once the Lease is not held for sure. To be told that it is lost is not enough: a process
 * that was frozen would go on where it stood before anything tells it.
 *
 * @param holds asked before each request to a node
 */
export function fencedOpen(open: OpenNode, holds: () => boolean): OpenNode {
  const check = () => {
    if (!holds()) throw new LeaseLost();
  };
  return async (node, options) => {
    check();
    // A call may take several requests, with time between them.
    const session = await open(node, { ...options, check });
    const fenced = <Given extends unknown[], Result>(method: (...given: Given) => Promise<Result>) => {
      // Async, so that what the check throws is a rejection.
      return async (...given: Given): Promise<Result> => {
        check();
        return method(...given);
      };
    };
    return {
      list: fenced(session.list.bind(session)),
      read: fenced(session.read.bind(session)),
      create: fenced(session.create.bind(session)),
      replace: fenced(session.replace.bind(session)),
      remove: fenced(session.remove.bind(session)),
      makeDirectory: fenced(session.makeDirectory.bind(session)),
      removeDirectory: fenced(session.removeDirectory.bind(session)),
      close: () => session.close(),
    } satisfies NodeSession;
  };
}
