/**
 * Set up before each test file: has its process end in an orderly way when the runner is interrupted or is gone, so that
 * what waits for its end (servers, scratch folders) goes too.
 */
function end(): void {
  process.exit(1);
}

process.once('disconnect', end);
process.once('SIGINT', end);
process.once('SIGTERM', end);
