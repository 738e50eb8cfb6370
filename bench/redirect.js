// For `node --import`: connections to dl.k8s.io go to the release host of the bench. azure/setup-kubectl has no input for
// another host. Everything else is as it would be: the name in the TLS handshake and in the certificate, too.
import tls from 'node:tls';

const HOST = 'dl.k8s.io';
const THERE = { host: '127.0.0.1', port: Number(process.env['BENCH_PORT']) };

tls.connect = new Proxy(tls.connect, {
  apply(connect, self, /** @type {[tls.ConnectionOptions, ...unknown[]]} */ args) {
    const [options, ...rest] = args;
    const redirected = options.host === HOST ? { ...options, ...THERE } : options;
    return /** @type {unknown} */ (Reflect.apply(connect, self, [redirected, ...rest]));
  },
});
