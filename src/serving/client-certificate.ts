import type { RequestHandler } from 'express';
import { TLSSocket } from 'node:tls';

/**
 * Middleware that lets only those through whose client certificate was signed by the server's `clientCa`; the rest get
 * a 401 with a JSON error.
 */
export const requireClientCertificate: RequestHandler = (request, response, next) => {
  const { socket } = request;
  if (socket instanceof TLSSocket && socket.authorized) {
    next();
    return;
  }
  const presented = socket instanceof TLSSocket && Object.keys(socket.getPeerCertificate()).length > 0;
  response.status(401).json({
    error: presented
      ? 'the client certificate is not signed by an authority that this server accepts'
      : 'this route needs a client certificate',
  });
};
