# A master boot record that ends QEMU through isa-debug-exit once it has done, on a small scale,
# what a kernel does first: it enters long mode, writes to memory that nobody has touched, and leaves
# the guest often. Sixteen-bit code alone is no test: it runs on hosts where a kernel never starts,
# because each page that a guest touches first costs milliseconds there.
#
# Assemble:
#	as -o sector.o sector.S && ld -Ttext=0x7c00 --oformat=binary -o sector.bin sector.o
	.code16
	.globl	_start
_start:	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	# Page tables at 0x1000: 64 MiB, mapped to themselves in pages of 2 MiB.
	movw	$0x1000, %di
	movw	$0x1800, %cx
	rep stosw
	movw	$0x2003, 0x1000
	movw	$0x3003, 0x2000
	movw	$0x3000, %di
	movl	$0x83, %eax
	movw	$32, %cx
1:	movl	%eax, (%di)
	addl	$0x200000, %eax
	addw	$8, %di
	loop	1b
	# Long mode (Intel SDM, volume 3, 10.8.5).
	movl	$0x20, %eax
	movl	%eax, %cr4
	movl	$0x1000, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orw	$0x100, %ax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax
	movl	%eax, %cr0
	lgdt	gdtr
	ljmp	$8, $long
	.code64
	# Write 56 MiB four times, from 4 MiB on, and look at the last word each time.
long:	movl	$4, %edx
2:	movl	$0x400000, %edi
	movl	$0x700000, %ecx
	movl	%edx, %eax
	rep stosq
	cmpq	%rdx, -8(%rdi)
	jne	4f
	decl	%edx
	jnz	2b
	# Leave the guest 1000 times.
	movl	$1000, %esi
3:	xorl	%eax, %eax
	cpuid
	decl	%esi
	jnz	3b
	movb	$0x2a, %al
	movw	$0xf4, %dx
	outb	%al, %dx
4:	hlt
	jmp	4b
	.balign	8
gdt:	.quad	0
	.quad	0x00209a0000000000
gdtr:	.word	15
	.long	gdt
	.org	510
	.word	0xaa55
