// A context: where a cluster is and who the caller is there. One file each, mode 0600.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::sdk {

/// Everything a caller or administrator needs; keys and certificates are base64url text, addresses as wire::Address.
struct Context {
  std::string name;
  std::string cluster;
  std::string api_url;         ///< http://127.0.0.1:PORT or https://HOST:PORT, the master's administration
  std::string api_token;       ///< bearer token of api_url; empty where the client's certificate is shown to it
  std::string gateway_url;     ///< as api_url, task calls over HTTP
  std::string gateway_token;   ///< bearer token of gateway_url
  std::string tasks_address;   ///< tcp:127.0.0.1:PORT or tls:HOST:PORT, the task manager
  std::string tasks_token;     ///< admits connections to tasks_address
  std::string client;          ///< the caller's name in its certificate
  std::string signing_key;     ///< private, signs as the caller
  std::string seal_key;        ///< private, HPKE
  std::string certificate;     ///< a serialised wire::Signed certificate of role client
  std::string authority_key;   ///< 65 bytes, pinned at enrolment
  std::string tls_root;        ///< the authority's X.509 certificate in PEM; empty where no address is in TLS
  std::string tls_server_name; ///< of the cluster's servers in their certificates; empty with tls_root
  std::string tls_certificate; ///< the client's X.509 certificate in PEM, shown to api_url; empty with a token
};

/// `$XDG_CONFIG_HOME/tcfdl/contexts` or `~/.config/tcfdl/contexts`; TCFDL_CONTEXT_DIR overrides it.
std::filesystem::path context_directory();

/// Which functions and versions were seen through a context: NAME.names in the context directory.
std::filesystem::path names_file(const Context& context);

/// Reads a context by name, or by path where `name` holds a '/'. Empty: TCFDL_CONTEXT, else the current one.
/// NOT_FOUND says how to get one; PERMISSION_DENIED when others could read the file.
Result<Context> load_context(const std::string& name);

/// Writes a context to a file, mode 0600.
Status write_context(const Context& context, const std::filesystem::path& file);

/// Changes the context that `load_context` finds by that name; nothing where it is of another client than `known`
/// meanwhile.
Status update_context(const std::string& name, const Context& known, const std::function<void(Context&)>& change);

/// Puts a newer certificate, a serialised wire::Signed, into a context, as `update_context`.
Status update_certificate(const std::string& name, const Context& known, BytesView certificate);

/// Writes DIR/NAME.json with mode 0600 and makes it the current one where there is none or `make_current` asks for it.
Status save_context(const Context& context, bool make_current);

/// Deletes a context; a current one is current no more.
Status remove_context(const std::string& name);

/// The names of all contexts, sorted.
std::vector<std::string> list_contexts();

/// The name of the current context; empty without one.
std::string current_context();
Status set_current_context(const std::string& name);

} // namespace tcfdl::sdk
