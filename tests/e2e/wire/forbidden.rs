//! A host that does not allow what io_uring needs: the last line says what to do about it.

use crate::server::{Ended, Setup, folder, run_under};
use std::os::unix::fs::{PermissionsExt, chown};

/// Runs what follows with one system call, given by its number, answered by EPERM, as the seccomp profile of a container does. In Python, for
/// nothing unsafe stands in these tests.
const WITHOUT_IO_URING: &str = r"
import ctypes, os, sys
class Instruction(ctypes.Structure):
    _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte), ('jf', ctypes.c_ubyte), ('k', ctypes.c_uint)]
class Program(ctypes.Structure):
    _fields_ = [('len', ctypes.c_ushort), ('filter', ctypes.POINTER(Instruction))]
FORBIDDEN, ERRNO_EPERM, ALLOW = int(sys.argv[1]), 0x00050001, 0x7fff0000
instructions = (Instruction * 4)(
    (0x20, 0, 0, 0),                   # the system call's number
    (0x15, 0, 1, FORBIDDEN),
    (0x06, 0, 0, ERRNO_EPERM),
    (0x06, 0, 0, ALLOW),
)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
program = Program(len(instructions), instructions)
assert prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
";

/// Nobody and no group, on Debian and others.
const NOBODY: u32 = 65534;

#[test]
fn io_uring_forbidden_is_one_sentence_with_the_remedy() {
    const SETUP: &str = "425";
    const ENTER: &str = "426";
    const REGISTER: &str = "427";
    for (call, cores) in [(SETUP, "1"), (SETUP, "4"), (ENTER, "2"), (REGISTER, "2")] {
        let folder = folder(&[]);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", cores];
        let ended = run_under(&["python3", "-c", WITHOUT_IO_URING, call], folder.path(), &serve);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let line = ended.last_line();
        println!("forbidden: {line}");
        for word in ["io_uring", "seccomp", "kernel.io_uring_disabled"] {
            assert!(line.contains(word), "no word of {word} in {line:?}");
        }
        assert_eq!(beside_the_log(&ended), 1, "{}", ended.stderr);
        assert!(!ended.stdout.contains("ready"), "{}", ended.stdout);
    }
}

/// Lines that are not the log's.
fn beside_the_log(ended: &Ended) -> usize {
    ended.stderr.lines().filter(|line| !line.starts_with('{')).count()
}

#[test]
fn with_few_descriptors_it_says_what_to_do_or_serves() {
    for limit in [3, 6, 8, 12, 20, 28, 40, 48, 64] {
        let nofile = format!("--nofile={limit}:{limit}");
        let set = Setup::shards(2).under(&["prlimit", &nofile]);
        match set.start_or_end() {
            Ok(mut server) => {
                assert!(limit >= 48, "{limit} is too few");
                server.connect().goes_on();
                assert_eq!(server.term(), Some(0));
            }
            Err(ended) => {
                assert!(limit < 48, "{limit}: {}", ended.stderr);
                // With so few not even the program can be loaded.
                if limit > 3 {
                    assert_eq!(ended.code, Some(1), "{limit}: {}", ended.stderr);
                    for word in ["descriptors", "ulimit -n", "LimitNOFILE=", "48"] {
                        assert!(
                            ended.last_line().contains(word),
                            "{limit}: no word of {word} in {:?}",
                            ended.stderr
                        );
                    }
                }
            }
        }
    }
}

/// An ordinary user with little memory to lock, as containers and old distributions have it: it serves, or says what to do.
#[test]
fn with_little_memory_to_lock_it_serves_or_says_what_to_do() {
    let mut outcomes = Vec::new();
    for limit in ["65536", "8388608"] {
        let folder = folder(&[]);
        let memlock = format!("--memlock={limit}:{limit}");
        let mut under = vec!["prlimit", &memlock];
        if rustix::process::geteuid().is_root() {
            // As root nothing is counted. Nobody may not look into every folder that root builds in.
            let binary = folder.path().join("ringmill");
            std::fs::copy(env!("CARGO_BIN_EXE_ringmill"), &binary).expect("a copy of the binary");
            std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).expect("chmod");
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
            under.extend(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
            under.extend(["sh", "-c", r#"exec ./ringmill "$@""#]);
        }
        outcomes.push(match Setup::shards(1).under(&under).folder(folder).start_or_end() {
            Ok(mut server) => {
                server.connect().goes_on();
                assert_eq!(server.term(), Some(0));
                format!("{limit} bytes: served")
            }
            Err(ended) => {
                assert_eq!(ended.code, Some(1), "{}", ended.stderr);
                let line = ended.last_line();
                for word in ["locked memory", "ulimit -l", "LimitMEMLOCK="] {
                    assert!(line.contains(word), "no word of {word} in {line:?}");
                }
                assert_eq!(beside_the_log(&ended), 1, "{}", ended.stderr);
                format!("{limit} bytes: {line}")
            }
        });
    }
    println!("forbidden: {outcomes:#?}");
    // The usual limit is enough for an ordinary user.
    assert_eq!(outcomes[1], "8388608 bytes: served");
}
