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

struct BenchCommunicationOptions {
  std::vector<std::size_t> sizes{1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
  std::string protection = "none";
  unsigned repeats = 1000;
  std::string svg; ///< a file for the plot; empty: none
};

/// The paper's figure 6 on this machine: bodies within one master, from a master to a worker, and between two masters.
Result<Json> bench_communication(const Session& session, const BenchCommunicationOptions& options);

/// The first task of a function that sleeps, to its answer: with a cold start and from the warm pool, beside the start
/// of the same program by itself to its first byte. A cluster of real daemons that it starts and ends.
Result<Json> bench_start(const Session& session, unsigned repeats);

/// What protection costs without any transport, beside single operations of OpenSSL.
Result<Json> bench_crypto(unsigned repeats);

/// How long the planner of models takes for graphs that it makes up, with enclaves of 90 MiB and with 4 GiB, where
/// every pair of cuts is possible. Rows' sizes are operators.
Result<Json> bench_planner(unsigned repeats);

struct BenchPipelineOptions {
  unsigned scale = 8; ///< of the MobileNet
  unsigned stages = 4;
  unsigned callers = 6;  ///< tasks in flight
  unsigned repeats = 10; ///< rounds, of twelve tasks for each caller
};

/// A model as a pipeline of stages on a cluster of real daemons that it starts and ends, beside ONNX Runtime with the
/// whole model on the same cores; a stage that computes next to nothing, beside a plain NATS request of that size.
Result<Json> bench_pipeline(const Session& session, const BenchPipelineOptions& options);

/// What a worker without instances costs: memory, and bytes to and from its master. Takes `length` and the minute
/// before it in which a node is not idle yet.
Result<Json> bench_idle(const Session& session, std::chrono::seconds length);

// Parts of it, beside a floor that it measured.

/// Verification of evidence of every kind of TEE; rows have `per_second` besides.
Status bench_attestation(unsigned repeats, const std::string& floor, double floor_p50, Json& rows);
/// What end-to-end protection costs a task that comes with a capsule which is there already.
Status bench_session(unsigned repeats, const std::string& floor, double floor_p50, Json& rows);

} // namespace tcfdl::cli
