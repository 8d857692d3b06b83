package deploy_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// testAlone starts a service as the image does where there is no engine: in a root with the image's files and nothing else, as
// the image's user, who may write nowhere. Only root can make that of a process.
func testAlone(t *testing.T, binary string, s service) {
	if os.Getuid() != 0 {
		const why = "only root can start a process in another root, as another user"
		if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "chroot") {
			t.Fatal(why + ", and OUTHOOK_TEST_REQUIRE asks for chroot")
		}
		t.Skip(why)
	}
	root, user := imageRoot(t, binary), imageUser(t)
	before := tree(t, root)
	store := redistest.Start(t, readCompose(t).Services["redis"].Command[1:]...)
	cmd := exec.Command(list(t, dockerfile(t)[1], "ENTRYPOINT")[0], append(slices.Clone(s.Command), "--redis-url=redis://"+store.Addr(),
		"--http-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--shutdown-delay=0s")...)
	cmd.Dir, cmd.Env = "/", s.env(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: user}
	p := startCommand(t, cmd)
	p.awaitReady(t)
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
	if is, err := os.Readlink(filepath.Join(proc, "root")); err != nil || is != root {
		t.Errorf("its root is %q (error %v)", is, err)
	}
	four := strings.Repeat(fmt.Sprintf("\t%d", user.Uid), 4) // real, effective, saved, of files
	if status := read(t, filepath.Join(proc, "status")); !strings.Contains(status, "\nUid:"+four+"\n") {
		t.Errorf("it does not run as %d alone:\n%s", user.Uid, status)
	}
	p.terminate(t)
	if after := tree(t, root); !slices.Equal(after, before) {
		t.Errorf("of the files %q it made %q", before, after)
	}
}

// imageUser is whom the Dockerfile's last stage names.
func imageUser(t *testing.T) *syscall.Credential {
	t.Helper()
	user, group, _ := strings.Cut(args(dockerfile(t)[1], "USER")[0], ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// imageRoot holds what the Dockerfile's last stage copies: the binary, and what this machine has of the other files.
func imageRoot(t *testing.T, binary string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, words := range args(dockerfile(t)[1], "COPY") {
		copied := strings.Fields(words) // --from=build, where from, where to
		from := copied[1]
		if from == "/out/outhook" {
			from = binary
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Logf("without %s, which this machine lacks", from)
			continue
		}
		to := filepath.Join(root, copied[2])
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tree lists all that is below a folder, with sizes of files.
func tree(t *testing.T, root string) (found []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && !entry.IsDir() {
			name += " " + strconv.FormatInt(info.Size(), 10)
		}
		found = append(found, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
