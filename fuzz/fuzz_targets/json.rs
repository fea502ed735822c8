//! Messages of JSON-RPC, as clients and servers read them.
#![no_main]

mod stream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stream::try_all(sixtyone::rpc::Codec::Json, data));
