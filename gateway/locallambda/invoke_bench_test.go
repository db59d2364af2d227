package locallambda

import "testing"

// BenchmarkInvoke: what one call costs with the real client and the real loop, in a process that is there or not.
func BenchmarkInvoke(b *testing.B) {
	b.Run("warm", func(b *testing.B) {
		s := startService(b, nil)
		call(b, s, `{}`)
		for b.Loop() {
			call(b, s, `{}`)
		}
	})
	b.Run("frozen", func(b *testing.B) {
		s := startService(b, func(_ *Config, f *Function) { f.FreezeIdle = true })
		call(b, s, `{}`)
		for b.Loop() {
			call(b, s, `{}`)
		}
	})
	b.Run("cold", func(b *testing.B) {
		s := startService(b, nil)
		for b.Loop() {
			if err := s.Kill(itoa(call(b, s, `{}`).PID)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
