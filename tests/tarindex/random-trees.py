#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Random trees, packed by GNU tar, by bsdtar and by Python's tarfile, indexed, and compared:

    random-trees.py TARINDEX [SEEDS]

Names, types, modes, owners, times, sizes, links, attributes and all bytes must be those of the
tree. Prints TAP."""

import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

TARINDEX = sys.argv[1]
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 6
PREFIXES = {1: 'user.', 2: 'system.posix_acl_access', 3: 'system.posix_acl_default',
            4: 'trusted.', 6: 'security.'}
ROOT = os.geteuid() == 0


def name_of(r):
    alphabet = 'abcXYZ019!-.~ \u00e9\u4e2d'
    while True:
        n = ''.join(r.choice(alphabet) for _ in range(r.choice((1, 3, 8, 60, 80))))
        if n not in ('.', '..') and not n.startswith('.wh.') and len(n.encode()) <= 255:
            return n


def bytes_of(r):
    size = r.choice((0, 1, 511, 512, 513, 4095, 4096, 4097, 20000, r.randrange(200000)))
    return r.randbytes(size)


def tree_of(r):
    """path -> what is there; directories come before what is in them."""
    tree, dirs, files = {}, [''], []
    for _ in range(r.choice((5, 50, 400))):
        path = os.path.join(r.choice(dirs), name_of(r))
        if path in tree:
            continue
        entry = {'mode': r.choice((0o644, 0o755, 0o4755, 0o1777, 0o600)),
                 'uid': r.choice((0, 1000, 70000)), 'gid': r.choice((0, 5, 4000000)),
                 'mtime': r.choice((0, 1, 1700000000, 2**33)), 'xattrs': {}}
        kind = r.choice('ffffffddslhc')
        if kind == 'd' and len(path) < 700:
            entry['type'] = 'd'
            dirs.append(path)
        elif kind == 's':
            entry.update(type='s', target=r.choice(('x', '/a/b', 'y' * 99, 'z' * 101, 'w' * 900)))
            entry['mode'] = 0o777
        elif kind == 'h' and files:
            entry = {'type': 'h', 'link': r.choice(files)}
        elif kind == 'c' and ROOT:
            entry.update(type='c', rdev=(r.randrange(4096), r.randrange(1 << 20)))
        else:
            entry.update(type='f', data=bytes_of(r))
            if r.random() < 0.2:
                entry['xattrs'] = {'user.' + 'n' * r.randrange(1, 50): r.randbytes(
                    r.choice((1, 10, 3000))) for _ in range(r.randrange(4))}
            files.append(path)
        tree[path] = entry
    return tree


def pack_by_python(tree, archive, fmt, r):
    with tarfile.open(archive, 'w', format=fmt) as tar:
        for path, e in tree.items():
            info = tarfile.TarInfo(path)
            if e['type'] == 'h':
                info.type, info.linkname = tarfile.LNKTYPE, e['link']
                tar.addfile(info)
                continue
            info.mode, info.uid, info.gid, info.mtime = e['mode'], e['uid'], e['gid'], e['mtime']
            data = e.get('data', b'')
            info.size = len(data)
            if e['type'] == 'd':
                info.type = tarfile.DIRTYPE
            elif e['type'] == 's':
                info.type, info.linkname = tarfile.SYMTYPE, e['target']
            elif e['type'] == 'c':
                info.type = tarfile.CHRTYPE
                info.devmajor, info.devminor = e['rdev']
            if fmt == tarfile.PAX_FORMAT:
                info.pax_headers = {'SCHILY.xattr.' + k: v.decode('utf-8', 'surrogateescape')
                                    for k, v in e['xattrs'].items()}
            # An older version of some, which does not count.
            if e['type'] == 'f' and r.random() < 0.1:
                old = tarfile.TarInfo(path)
                old.size = 700
                tar.addfile(old, io.BytesIO(bytes(700)))
            tar.addfile(info, io.BytesIO(data))
    if fmt != tarfile.PAX_FORMAT:
        for e in tree.values():
            if e['type'] != 'h':
                e['xattrs'] = {}


def unpack(tree, where):
    for path, e in tree.items():
        full = os.path.join(where, path)
        if e['type'] == 'h':
            os.link(os.path.join(where, e['link']), full)
            continue
        if e['type'] == 'd':
            os.mkdir(full)
        elif e['type'] == 's':
            os.symlink(e['target'], full)
        elif e['type'] == 'c':
            os.mknod(full, stat.S_IFCHR, os.makedev(*e['rdev']))
        else:
            with open(full, 'wb') as f:
                f.write(e['data'])
        for k, v in list(e['xattrs'].items()):
            try:
                os.setxattr(full, k, v)
            except OSError:
                del e['xattrs'][k]
        if ROOT:
            os.chown(full, e['uid'], e['gid'], follow_symlinks=False)
        else:
            e['uid'], e['gid'] = os.geteuid(), os.lstat(full).st_gid
        if e['type'] != 's':
            os.chmod(full, e['mode'])
            e['mode'] = stat.S_IMODE(os.lstat(full).st_mode)
    for path, e in reversed(list(tree.items())):
        if e['type'] != 'h':
            os.utime(os.path.join(where, path), ns=(0, e['mtime'] * 10**9 + 123456700),
                     follow_symlinks=False)


def expected(tree, nsec):
    links = {}
    for path, e in tree.items():
        first = e['link'] if e['type'] == 'h' else path
        links[first] = links.get(first, 0) + 1
    out = {}
    for path, e in tree.items():
        first = e['link'] if e['type'] == 'h' else path
        e = tree[first]
        kinds = {'f': stat.S_IFREG, 'd': stat.S_IFDIR, 's': stat.S_IFLNK, 'c': stat.S_IFCHR}
        row = {'mode': kinds[e['type']] | e['mode'], 'uid': e['uid'], 'gid': e['gid'],
               'mtime': e['mtime'], 'nsec': nsec, 'xattrs': e['xattrs']}
        if e['type'] == 'f':
            row.update(size=len(e['data']), sha256=hashlib.sha256(e['data']).hexdigest())
        if e['type'] == 's':
            row['target'] = e['target']
        if e['type'] == 'c':
            major, minor = e['rdev']
            row['rdev'] = (minor & 0xff) | major << 8 | (minor & ~0xff) << 12
        if e['type'] != 'd':
            row['nlink'] = links[first]
        out[path] = row
    return out


def indexed(archive, where):
    image, table = os.path.join(where, 'image'), os.path.join(where, 'map')
    subprocess.run([TARINDEX, archive, 'v', image, table], check=True, stdout=subprocess.DEVNULL)
    lines = subprocess.run([TARINDEX, '--list', archive, table, image], check=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    out = {}
    for line in lines:
        row = json.loads(line)
        for key in ('path', 'target'):
            if key in row:
                row[key] = bytes.fromhex(row[key]).decode()
        row['xattrs'] = {PREFIXES[i] + bytes.fromhex(n).decode(): bytes.fromhex(v)
                         for i, n, v in row['xattrs'] if i != 6}
        out[row['path']] = row
    return out


def compare(want, got):
    got.pop('', None)
    if set(want) != set(got):
        return 'names differ: %r' % sorted(set(want) ^ set(got))[:3]
    for path, row in want.items():
        for key, value in row.items():
            if got[path].get(key) != value:
                return '%r: %s is %r, not %r' % (path, key, got[path].get(key), value)
    return None


def gnu_tar(fmt):
    options = ['--format=' + fmt] + (['--xattrs'] if fmt == 'posix' else [])

    def pack(where, archive):
        subprocess.run(['tar', 'cf', archive] + options + ['-C', where, '.'], check=True)
    return pack


def bsdtar(where, archive):
    subprocess.run(['bsdtar', '-cf', archive, '-C', where, '--format=pax', '.'], check=True)


def main():
    packers = [('python-%s' % n, f, None) for n, f in
               (('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT))]
    packers += [('tar-posix', None, gnu_tar('posix')), ('tar-gnu', None, gnu_tar('gnu'))]
    if shutil.which('bsdtar'):
        packers.append(('bsdtar', None, bsdtar))
    print('1..%d' % (len(packers) * SEEDS))
    failed = number = 0
    for seed in range(SEEDS):
        for packer, fmt, command in packers:
            number += 1
            r = random.Random('%d %s' % (seed, packer))
            with tempfile.TemporaryDirectory(prefix='cachefilld-test.') as work:
                archive, where = os.path.join(work, 'archive'), os.path.join(work, 'tree')
                tree, nsec = tree_of(r), 0
                os.mkdir(where)
                if command:
                    unpack(tree, where)
                    command(where, archive)
                    if packer == 'tar-gnu':
                        for e in tree.values():
                            e['xattrs'] = {}
                    else:
                        nsec = 123456700
                else:
                    pack_by_python(tree, archive, fmt, r)
                wrong = compare(expected(tree, nsec), indexed(archive, work))
            failed += wrong is not None
            print('%sok %d - %s, seed %d%s' % ('not ' if wrong else '', number, packer, seed,
                                              ': ' + wrong if wrong else ''), flush=True)
    return failed > 0


sys.exit(main())
