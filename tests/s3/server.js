// An S3 server on loopback: server.js PORT DIRECTORY BUCKET. It knows the key
// S3RVER; signatures of version 4 it does not check.
"use strict";
const S3rver = require("s3rver");

const [port, directory, bucket] = process.argv.slice(2);
new S3rver({
  address: "127.0.0.1",
  port: Number(port),
  directory,
  silent: false,
  configureBuckets: [{ name: bucket }],
})
  .run()
  .then(() => console.log("ready"));
