# SPDX-License-Identifier: MIT
#: seconds 300
#
# A compiler out of an image compiles a project of eleven files and runs it: one large program that
# is mapped and started again and again, many small headers that are looked for in many places.

capture_start
mounted compile
writable_root
works 280 chroot "$RUN/root" make --silent -C /project O=/tmp
equal "$(chroot "$RUN/root" /tmp/program)" "compiled well"
capture_end
