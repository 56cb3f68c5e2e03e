// What `tcfdl bench` measures. Each gives rows of bench_rows.hpp.
#pragma once

#include "cli/command.hpp"

namespace tcfdl::cli {

struct BenchCallOptions {
  std::vector<std::size_t> sizes{1024, 65536, 1048576, 4194304};
  std::string protection; ///< empty: all
  unsigned repeats = 200;
};

/// Calls inside one cluster and across two, of real daemons that it starts and ends, beside a raw loopback TCP exchange
/// and a plain NATS request.
Result<Json> bench_call(const Session& session, const BenchCallOptions& options);

/// What protection costs without any transport, beside single operations of OpenSSL.
Result<Json> bench_crypto(unsigned repeats);

} // namespace tcfdl::cli
