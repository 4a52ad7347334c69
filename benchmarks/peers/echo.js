// An echo over TCP and UDP. Usage: PORT
const dgram = require('node:dgram');
const net = require('node:net');

const port = Number(process.argv[2]);
const host = '127.0.0.1';

net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}).listen({ port, host });

const datagrams = dgram.createSocket('udp4');
datagrams.on('message', (message, peer) => {
  datagrams.send(message, peer.port, peer.address);
});
datagrams.bind(port, host);
